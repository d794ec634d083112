import { type HttpOptions, type HttpServerTools, NodeHttpServer } from '@keelson/http-server';
import { FastifyFramework } from './fastify-framework.js';

/** The server without its plugin: for a test that starts and stops it by itself. */
export function createServer(options: HttpOptions, tools: HttpServerTools): NodeHttpServer {
  return NodeHttpServer.on(parts => new FastifyFramework(parts), options, tools).server;
}
