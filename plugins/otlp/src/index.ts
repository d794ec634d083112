export { ExportWatch } from './export-watch.js';
export { exporterConfigOf } from './exporter-config.js';
export { type ReceiverOptions, receiverOptions } from './options.js';
export { resourceOf, type ServiceFacts } from './resource.js';
export { diagnosisOf, warnOfUnusable } from './usable-variables.js';
export { type Protocol, VariableReader } from './variables.js';
