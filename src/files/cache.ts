/** Where things lie that can be made again: deleting them costs time only. */
import { homedir } from 'node:os';
import { join } from 'node:path';

/** The user's own folder for things of one kind, which may not exist yet. */
export function cacheFolder(kind: string): string {
	return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'prunec', kind);
}
