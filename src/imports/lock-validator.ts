/** The schema of `prune.lock` as a function; the bundle holds the code that ajv writes for it (scripts/bundle.ts). */
import { Ajv } from 'ajv';
import { lockSchema } from './lock-schema.ts';

export const ajv = new Ajv({ strict: true, strictRequired: false, code: { source: true, esm: true } });

export const validateLock = ajv.compile(lockSchema);
