export { type Instrument, InstrumentBook, type InstrumentKind } from './instrument-book.js';
