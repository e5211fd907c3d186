/** The version in package.json, which lies above the sources, the compiled files and the bundle alike. */
import { readFileSync } from 'node:fs';

function versionIn(relative: string): string | undefined {
	try {
		const found = JSON.parse(readFileSync(new URL(relative, import.meta.url), 'utf8')) as {
			name?: string;
			version?: string;
		};
		return found.name === 'prunec' ? found.version : undefined;
	} catch {
		return undefined;
	}
}

export function version(): string {
	return (
		['../package.json', '../../package.json'].map(versionIn).find((found) => found !== undefined) ?? '0.0.0'
	);
}
