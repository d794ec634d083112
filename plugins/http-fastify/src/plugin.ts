import { serverPlugin } from '@keelson/http-server';
import { FastifyFramework } from './fastify-framework.js';
import { FastifyServer } from './fastify-server.js';
import manifest from './manifest.js';

export default serverPlugin({
  manifest,
  framework: parts => new FastifyFramework(parts),
  bindMore: { token: FastifyServer, of: framework => framework },
});
