import { Migration } from '@mikro-orm/migrations';
import { createKeyIndex, createKeyTable, keyTable } from './key-table.js';

/** Creates the table of idempotency keys: put it into the migrations of the service. */
export class CreateIdempotencyKeys extends Migration {
  override up(): void {
    this.addSql(createKeyTable);
    this.addSql(createKeyIndex);
  }

  override down(): void {
    this.addSql(`drop table ${keyTable}`);
  }
}
