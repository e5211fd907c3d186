/**
 * Files of this machine that imported recipes name. In a recipe of the user's own repository a path is taken from the
 * folder of the file it stands in; in one from elsewhere it is told, and its statement left out. A path that the user gave
 * a parameter is the user's own, wherever the parameter stands.
 */
import { type Diagnostic } from '../../diagnostic.ts';
import { remoteData, remoteFile } from '../../messages/import.ts';
import { type Item, type Statement, type TextSyntax } from '../../parser/syntax.ts';
import { isRemote } from '../imports/imports.ts';

export function settlePaths(statements: readonly Statement[], problems: Diagnostic[]): Statement[] {
	return statements.flatMap((statement) => {
		const problem = foreignPath(statement);
		if (problem === undefined) return [anchored(statement)];
		problems.push(problem);
		return [];
	});
}

function fileOf({ span, given }: TextSyntax): string | undefined {
	return given === true ? undefined : span.file;
}

function isForeign(path: TextSyntax): boolean {
	const file = fileOf(path);
	return file !== undefined && isRemote(file);
}

function foreignPath(statement: Statement): Diagnostic | undefined {
	if (statement.kind === 'calibrate' || statement.kind === 'evaluate') {
		const { kind, path, span } = statement;
		return isForeign(path) ? remoteData({ statement: kind, path: path.value }, { span }) : undefined;
	}
	if (statement.kind !== 'transform') return undefined;
	const reader = statement.items.find((item) => 'path' in item && isForeign(item.path));
	return reader && remoteFile({}, { span: reader.span });
}

function anchored(statement: Statement): Statement {
	if (statement.kind === 'calibrate' || statement.kind === 'evaluate')
		return { ...statement, path: besideItsFile(statement.path) };
	if (statement.kind !== 'transform') return statement;
	const items = statement.items.map((item): Item =>
		'path' in item ? { ...item, path: besideItsFile(item.path) } : item,
	);
	return { ...statement, items };
}

/** Names of imported files are paths from the working folder, and so is what comes out. */
function besideItsFile(path: TextSyntax): TextSyntax {
	const folder = fileOf(path)?.replace(/[^/\\]*$/, '') ?? '';
	const isWhole = /^(?:[/\\]|[A-Za-z]:)/.test(path.value);
	return folder === '' || isWhole ? path : { ...path, value: folder + path.value };
}
