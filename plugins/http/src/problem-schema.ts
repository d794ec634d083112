import { z } from 'zod';

const fieldProblem = z
  .object({
    path: z.string().meta({ description: 'A JSON Pointer (RFC 6901); empty for the whole input.' }),
    message: z.string(),
    in: z.enum(['path', 'query', 'header']).optional().meta({ description: 'Missing for the body.' }),
  })
  .meta({ id: 'FieldProblem', description: 'A problem in one field of the input.' });

/** The body of every error (RFC 9457). */
export const problemDocument = z
  .looseObject({
    type: z.string().meta({ description: 'The kind of the problem; its code is the last part.' }),
    title: z.string(),
    status: z.int(),
    detail: z.string().optional(),
    instance: z.string().optional().meta({ description: 'The id of the request.' }),
    errors: z.array(fieldProblem).optional().meta({ description: 'One entry for each wrong field.' }),
  })
  .meta({ id: 'ProblemDocument', description: 'A problem document (RFC 9457).' });
