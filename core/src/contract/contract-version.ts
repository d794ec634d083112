/**
 * The version of the plugin contract: that of this package. It stands here, and is not read from `package.json`, because a
 * bundle has no such file. `npm version` and lerna write it.
 */
export const contractVersion: string = '0.1.0';
