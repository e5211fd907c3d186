/** Where a name is declared, everywhere it stands, and what it may be called instead. */
import { type IToken } from 'chevrotain';
import { type Span } from '../diagnostic.ts';
import { type ParamStatement, type Statement } from '../parser/syntax.ts';
import { Parameter, Text } from '../parser/tokens.ts';
import { clauseWords, operatorWords } from '../parser/words.ts';
import { type Analysis } from './analysis.ts';
import { tokenAt, tokensOf } from './tokens.ts';

/** The declaration of a parameter: in the recipe itself, else in what it uses without a name. */
export function declarationOf(name: string, { syntax, imports }: Analysis): ParamStatement | undefined {
	const inList = (list: readonly Statement[]): ParamStatement | undefined =>
		list.find((one) => one.kind === 'param' && one.name.text === name) as ParamStatement | undefined;
	const own = inList(syntax.statements);
	if (own !== undefined) return own;
	const files = syntax.statements.flatMap((one) =>
		one.kind === 'use' && one.alias === undefined ? (imports.uses.get(one.source.value) ?? []) : [],
	);
	return files.flatMap((file) => inList(imports.files.get(file)?.syntax.statements ?? []) ?? [])[0];
}

/** Where the thing under the cursor is declared; `span.file` names an imported file. */
export function definitionAt(analysis: Analysis, offset: number): Span | undefined {
	const token = tokenAt(analysis.text, offset);
	if (token === undefined) return undefined;
	if (token.tokenType === Parameter) return declarationOf(token.image.slice(1), analysis)?.name.span;
	const statement = analysis.syntax.statements.find(({ span }) => span.start <= offset && offset <= span.end);
	if (statement?.kind === 'use' && token.tokenType === Text) return startOf(analysis, statement.source.value);
	if (statement?.kind === 'apply') return appliedAt(statement, token, analysis);
	return undefined;
}

function startOf({ imports }: Analysis, address: string): Span | undefined {
	const file = imports.uses.get(address);
	return file === undefined ? undefined : { start: 0, end: 0, file };
}

/** Of the name, the `use` that gave it; of an argument, the parameter in that recipe. */
function appliedAt(
	{ name, arguments: list }: Extract<Statement, { kind: 'apply' }>,
	{ startOffset }: IToken,
	{ syntax, imports }: Analysis,
): Span | undefined {
	const named = syntax.statements.find((one) => one.kind === 'use' && one.alias?.text === name.text);
	if (named?.kind !== 'use') return undefined;
	if (startOffset === name.span.start) return named.alias?.span;
	const argument = list.find(({ name: { span } }) => span.start === startOffset);
	const file = imports.files.get(imports.uses.get(named.source.value) ?? '');
	const param = file?.syntax.statements.find(
		(one) => one.kind === 'param' && one.name.text === argument?.name.text,
	);
	return param?.kind === 'param' ? param.name.span : undefined;
}

/** A parameter that this recipe declares, and every place where its name stands, without the `$`. */
export type Renamable = { readonly name: string; readonly at: Span; readonly places: readonly Span[] };

/** The parameter under the cursor; nothing where none is, or where another file declares it. */
export function renamableAt(analysis: Analysis, offset: number): Renamable | undefined {
	const { text, syntax } = analysis;
	const token = tokenAt(text, offset);
	const name = token?.tokenType === Parameter ? token.image.slice(1) : token?.image;
	const declared = syntax.statements
		.filter((one) => one.kind === 'param')
		.filter((one) => one.name.text === name);
	if (token === undefined || name === undefined || declared.length === 0) return undefined;
	const names = declared.map(({ name: { span } }) => span);
	const uses = tokensOf(text)
		.filter(({ tokenType, image }) => tokenType === Parameter && image === `$${name}`)
		.map(({ startOffset, image }) => ({ start: startOffset + 1, end: startOffset + image.length }));
	const places = [...names, ...uses];
	const at = places.find(({ start, end }) => start - 1 <= offset && offset <= end);
	return at && { name, at, places };
}

/** Why a parameter cannot be called so; nothing when it can. */
export function refusedName(
	name: string,
	{ name: old }: Renamable,
	{ syntax }: Analysis,
): string | undefined {
	if (!/^[A-Za-z_]\w*$/.test(name)) return `'${name}' is no name: letters, digits and _ make one`;
	const reserved: readonly string[] = [...clauseWords, ...operatorWords];
	if (reserved.includes(name)) return `'${name}' is a word of the language`;
	const taken = syntax.statements.some(
		(one) => one.kind === 'param' && one.name.text === name && name !== old,
	);
	return taken ? `there is a parameter '${name}' already` : undefined;
}
