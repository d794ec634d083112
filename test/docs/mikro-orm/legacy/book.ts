import { Entity, PrimaryKey, Property, ReflectMetadataProvider } from '@mikro-orm/decorators/legacy';

@Entity({ tableName: 'books' })
export class Book {
  @PrimaryKey()
  id!: number;

  @Property()
  title!: string; // its type comes from the metadata that the compiler emits
}

export const bookModel = { entities: [Book], orm: { metadataProvider: ReflectMetadataProvider } };
