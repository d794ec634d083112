export { errorCodes } from './error-codes.js';
export { type HttpClientOptions, httpClientOptions, type TargetOptions } from './options.js';
export { default } from './plugin.js';
export { createPolicyFetch, type PolicyFetch, type PolicyFetchOptions } from './policy-fetch.js';
