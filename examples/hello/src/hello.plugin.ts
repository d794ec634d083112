import { definePlugin, HttpServer } from '@keelson/core';

export default definePlugin({
  name: 'hello',
  requires: [HttpServer],
  start({ container }) {
    container.get(HttpServer).router('/hello', (_request, response) => {
      response.end('Hello, world!\n');
    });
  },
  ready({ container }) {
    console.log(`hello listens on ${container.get(HttpServer).url}/hello`);
  },
});
