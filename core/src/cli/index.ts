export { exitCodes, type Terminal } from './command.js';
export { runKeelson } from './run-keelson.js';
