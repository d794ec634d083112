import { serverManifest } from '@keelson/http-server/server-manifest';
import { FastifyServer } from './fastify-server.js';

/** `fastify`: it runs plugins and routes of Fastify. */
export default serverManifest({ name: 'http-fastify', capabilities: ['fastify'], provides: [FastifyServer] });
