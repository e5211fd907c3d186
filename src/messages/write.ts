/** Messages about writing results. */
import { defineDiagnostic } from '../diagnostic.ts';

export const exists = defineDiagnostic({
	code: 'write/exists',
	severity: 'error',
	explain: 'An existing file is never replaced unless that is asked for.',
	message: ({ path }: { path: string }) => `'${path}' exists`,
	hint: () => 'add --force to replace it, or give another name with -o',
});
export const failed = defineDiagnostic({
	code: 'write/failed',
	severity: 'error',
	explain:
		'The result could not be written whole. Nothing is left under its name: it is written to a private folder beside it and renamed at the end.',
	message: ({ path, cause, needed }: { path: string; cause: string; needed?: number }) =>
		`cannot write '${path}': ${cause}${needed === undefined ? '' : ` (${needed} bytes are needed)`}`,
	hint: ({ cause }) => (/space/i.test(cause) ? 'free some space, or give another folder with -o' : undefined),
});
