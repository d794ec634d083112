import { ormConfiguration } from '@keelson/database/mikro-orm';

export default await ormConfiguration({ config: 'keelson.yaml' });
