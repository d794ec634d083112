/**
 * The module `node:http`. An `import` of it reads all its exports, and one of them, `WebSocket`, loads undici, the
 * implementation of `fetch`: half as much CPU as Node itself needs to start.
 */
export const http = process.getBuiltinModule('node:http');
