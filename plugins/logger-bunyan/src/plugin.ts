import { loggerPlugin } from '@keelson/core/logging';
import { createLogger } from './create-logger.js';
import manifest from './manifest.js';

export default loggerPlugin({ manifest, createLogger });
