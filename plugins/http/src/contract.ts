export { HttpRoutes } from './http-routes.js';
export { type RateLimitsOptions, rateLimitsOptions } from './rate-limits/options.js';
