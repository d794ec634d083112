import { patroniScenarios } from './patroni-scenarios.js';
import { testScenarios } from './scenario-tests.js';

testScenarios(patroniScenarios, { form: 'short', timeoutMs: 120_000 });
