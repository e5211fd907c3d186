/** Files of this machine that a recipe from elsewhere names: told, and its statement left out. */
import { type Diagnostic } from '../../diagnostic.ts';
import { remoteData, remoteFile } from '../../messages/import.ts';
import { type Statement, type TextSyntax } from '../../parser/syntax.ts';
import { isRemote } from '../imports/imports.ts';

/** A path that the user gave a parameter is the user's own, wherever the parameter stands. */
function isForeign({ span, given }: TextSyntax): boolean {
	return given !== true && span.file !== undefined && isRemote(span.file);
}

export function withoutRemoteReads(statements: readonly Statement[], problems: Diagnostic[]): Statement[] {
	return statements.filter((statement) => {
		const problem = remoteRead(statement);
		if (problem !== undefined) problems.push(problem);
		return problem === undefined;
	});
}

function remoteRead(statement: Statement): Diagnostic | undefined {
	if (statement.kind === 'calibrate' || statement.kind === 'evaluate') {
		const { kind, path, span } = statement;
		return isForeign(path) ? remoteData({ statement: kind, path: path.value }, { span }) : undefined;
	}
	if (statement.kind !== 'transform') return undefined;
	const reader = statement.items.find((item) => 'path' in item && isForeign(item.path));
	return reader && remoteFile({}, { span: reader.span });
}
