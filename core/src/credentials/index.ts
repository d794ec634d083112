export { fileStamp } from '../config/file-stamp.js';
export { CredentialKeeper, type CredentialKeeperParts } from './credential-keeper.js';
export { type KeeperPluginParts, keeperPlugin } from './keeper-plugin.js';
export { parseCredential } from './parse-credential.js';
