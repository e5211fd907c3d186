/** Messages of the command line. */
import { defineDiagnostic } from '../diagnostic.ts';

export const usage = defineDiagnostic({
	code: 'cli/usage',
	severity: 'error',
	explain:
		'The command was called with arguments that it does not take. `prunec <command> --help` lists them.',
	message: ({ problem }: { problem: string }) => problem,
	hint: () => 'prunec --help',
});
export const unreadable = defineDiagnostic({
	code: 'cli/unreadable',
	severity: 'error',
	explain: 'A file named on the command line cannot be read.',
	message: ({ path, cause }: { path: string; cause: string }) => `cannot read '${path}': ${cause}`,
});
export const noSuchCode = defineDiagnostic({
	code: 'cli/no-such-code',
	severity: 'error',
	explain: 'Every diagnostic has a code, `<stage>/<words>`; `prunec list codes` prints them all.',
	message: ({ code }: { code: string }) => `there is no diagnostic '${code}'`,
	hint: () => 'prunec list codes',
});
