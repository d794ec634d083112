import { serverManifest } from '@keelson/http-server/server-manifest';

/** `express`: it runs routers of Express, and its requests and responses have the methods of Express. */
export default serverManifest({ name: 'http-express', capabilities: ['express'] });
