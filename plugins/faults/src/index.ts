export { errorCodes } from './error-codes.js';
export { FaultInjector, type InjectionListener } from './fault-injector.js';
export { InjectedFault } from './injected-fault.js';
export { type FaultRule, type FaultsOptions, faultsOptionsSchema } from './options.js';
export { faults as default } from './plugin.js';
