export { conformanceModel } from './conformance-model.js';
export { type DatabaseConformanceCase, databaseConformance } from './database-conformance.js';
export { expectStatements } from './expect-statements.js';
export type { DatabaseHarness } from './harness.js';
export { databasePluginConformance } from './plugin-conformance.js';
export { withSandbox } from './sandbox/with-sandbox.js';
export { withRollback } from './with-rollback.js';
