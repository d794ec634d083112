import { definePlugin, HttpServer } from '@keelson/core';

export default definePlugin({
  name: 'hello',
  requires: [HttpServer],
  start({ container }) {
    const http = container.get(HttpServer);
    http.router('/hello', (_request, response) => {
      response.end('Hello, world!\n');
    });
    return { ready: () => console.log(`hello listens on ${http.url}/hello`) };
  },
});
