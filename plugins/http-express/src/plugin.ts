import { serverPlugin } from '@keelson/http-server';
import { expressFramework } from './express-framework.js';
import manifest from './manifest.js';

export default serverPlugin({ manifest, framework: expressFramework });
