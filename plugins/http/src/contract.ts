export { HttpRoutes } from './http-routes.js';
