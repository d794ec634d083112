export { fileStamp } from '../config/file-stamp.js';
export { type KeeperPluginParts, keeperPlugin } from './keeper-plugin.js';
export { parseCredential } from './parse-credential.js';
