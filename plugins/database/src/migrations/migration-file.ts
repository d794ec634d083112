import { KeelsonError } from '@keelson/core';

const namePattern = /^[A-Z][A-Za-z0-9]*$/;

/** The text of a migration: a class of the given name whose `up` runs the statements. */
export function migrationFile(name: string, statements: readonly string[]): string {
  if (!namePattern.test(name)) throw badName(name);
  const lines = statements.length === 0 ? [`    this.addSql('select 1');`] : statements.map(addSql);
  return `import { Migration } from '@mikro-orm/migrations';

export class ${name} extends Migration {
  override up(): void {
${lines.join('\n')}
  }
}
`;
}

function addSql(statement: string): string {
  return `    this.addSql(\`${statement.replace(/[\\`]|\$\{/g, '\\$&')}\`);`;
}

function badName(name: string): KeelsonError {
  return new KeelsonError({
    code: 'DATABASE_MIGRATION_NAME',
    message: `"${name}" cannot be the name of a migration, because it is not a valid name of a class.`,
    hint: 'Use letters and digits, beginning with a capital: AddOrders.',
    facts: { name },
  });
}
