import { KeelsonError } from '@keelson/core';

/** The option `engine` of the configuration contradicts what the database itself shows. */
export class EngineDifferentError extends KeelsonError {
  constructor(facts: { readonly option: string; readonly stated: string; readonly found: string }) {
    super({
      code: 'DATABASE_ENGINE_DIFFERENT',
      message: `The configuration states engine.${facts.option}: ${facts.stated}, but the database shows otherwise: ${facts.found}.`,
      hint: `Correct or remove engine.${facts.option}. It can turn off detected features, and state facts that Keelson cannot detect.`,
      facts,
    });
  }
}
