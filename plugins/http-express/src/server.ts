import { type HttpOptions, type HttpServerTools, NodeHttpServer } from '@keelson/http-server';
import { expressFramework } from './express-framework.js';

/** The server without its plugin: for a test that starts and stops it by itself. */
export function createServer(options: HttpOptions, tools: HttpServerTools): NodeHttpServer {
  return NodeHttpServer.on(expressFramework, options, tools).server;
}
