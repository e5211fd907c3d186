/** `lsp`: the language server on standard input and output. */
import { serve } from '../lsp/server.ts';
import { type Status } from './shared.ts';

/** Runs until the client ends it, which ends the process. */
export async function lsp(): Promise<Status> {
	serve(process.stdin, process.stdout);
	return new Promise<never>(() => undefined);
}
