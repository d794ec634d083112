import type { DatabaseModel } from '@keelson/database';
import { Migration } from '@mikro-orm/migrations';

/** In their order. */
export const shelfMigrations = ['CreateShelves', 'FillShelves', 'IndexShelves', 'WidenShelves'] as const;

/**
 * Migrations in a transaction and outside of one. `newRow` is called when one runs that stores a row, and gives the number of
 * the row. Without a second connection, those outside of a transaction are left out.
 */
export function shelves(newRow: (migration: string) => number, hasTwoConnections: boolean): DatabaseModel {
  class CreateShelves extends Migration {
    override up(): void {
      this.addSql('create table shelf (id integer)');
    }
  }

  class FillShelves extends Migration {
    override up(): void {
      this.addSql(`insert into shelf (id) values (${newRow('FillShelves')})`);
    }
  }

  class IndexShelves extends Migration {
    override isTransactional(): boolean {
      return false;
    }

    override up(): void {
      // It may have failed half-way before.
      this.addSql('drop index concurrently if exists shelf_index');
      this.addSql('create index concurrently shelf_index on shelf (id)');
    }
  }

  class WidenShelves extends Migration {
    override up(): void {
      this.addSql('alter table shelf add column width integer');
      this.addSql(`insert into shelf (id) values (${newRow('WidenShelves')})`);
    }
  }

  const migrations = hasTwoConnections
    ? { CreateShelves, FillShelves, IndexShelves, WidenShelves }
    : { CreateShelves, FillShelves, WidenShelves };
  return { entities: [], migrations };
}
