export { findInstances, type Instance, type Instances } from './instances.js';
export type { InstanceStatus } from './protocol.js';
