export { exitCodes, type Terminal } from './command.js';
export { runBundle } from './run-bundle.js';
export { runKeelson } from './run-keelson.js';
