export { type Declaration, InstrumentBook, type InstrumentKind } from './instrument-book.js';
export { measureProcess } from './process-metrics.js';
