export { type Chosen, choices, defaults, type Question } from './choices.js';
export { type CreatedInWorkspace, type CreatedService, type CreateOptions, createService } from './create-service.js';
export { Refusal } from './refusal.js';
