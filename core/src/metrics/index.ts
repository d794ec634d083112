export { GaugeObservers } from './gauge-observers.js';
export { type Declaration, InstrumentBook, type InstrumentKind } from './instrument-book.js';
export { type MeasuredJob, measureJob } from './job-metrics.js';
export { madeOnce } from './made-once.js';
export { measureProcess } from './process-metrics.js';
