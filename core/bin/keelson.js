#!/usr/bin/env node
import { enableCompileCache } from 'node:module';

// A second start need not compile the same modules again.
enableCompileCache?.();
await import('../dist/cli/main.js');
