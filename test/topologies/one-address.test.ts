import { oneAddressScenarios } from './one-address-scenarios.js';
import { testScenarios } from './scenario-tests.js';

testScenarios(oneAddressScenarios, { form: 'short', timeoutMs: 60_000 });
