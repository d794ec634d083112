import { pgbouncerScenarios } from './pgbouncer-scenarios.js';
import { testScenarios } from './scenario-tests.js';

testScenarios(pgbouncerScenarios, { form: 'short', timeoutMs: 60_000 });
