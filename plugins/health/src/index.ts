export { errorCodes } from './error-codes.js';
export { HealthEngine, type HealthEngineTools } from './health-engine.js';
export { type CheckOverrides, type HealthOptions, healthOptions } from './options.js';
export { default } from './plugin.js';
