/**
 * The module `node:http`. An `import` of it reads all its exports, and one of them, `WebSocket`, loads undici, the
 * implementation of `fetch`, at each start.
 */
export const http = process.getBuiltinModule('node:http');
