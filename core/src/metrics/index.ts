export { type Declaration, InstrumentBook, type InstrumentKind } from './instrument-book.js';
export { type MeasuredJob, measureJob } from './job-metrics.js';
export { measureProcess } from './process-metrics.js';
