export { HttpRoutes } from './http-routes.js';
export { methodName, type RateLimitsOptions, rateLimitsOptions } from './rate-limits/options.js';
