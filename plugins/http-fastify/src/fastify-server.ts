import { type ServiceToken, serviceToken } from '@keelson/core';
import type { FastifyInstance } from 'fastify';

export interface FastifyServer {
  /**
   * For plugins, hooks and routes of Fastify itself. To be changed in the start of a plugin: when the service is ready, Fastify
   * takes nothing more. It never listens, and the server closes it. It is a property, not itself the service: it has a method
   * `then`, so the container would await it like a promise.
   */
  readonly app: FastifyInstance;
}

export const FastifyServer: ServiceToken<FastifyServer> = serviceToken('@keelson/http-fastify/FastifyServer');
