/** Syntax and the words of the techniques → a Recipe, with every mistake of the text. */
import { type Diagnostic, hasErrors, type Span } from '../../diagnostic.ts';
import { shadowedName } from '../../messages/agreement.ts';
import * as messages from '../../messages/declarations.ts';
import { unknownParam } from '../../messages/quantities.ts';
import { type Statement, type Syntax, type ValueSyntax } from '../../parser/syntax.ts';
import { type Imports } from '../imports/imports.ts';
import { checkData, checkExpectation, checkInputs } from './check-header.ts';
import { checkAgreement } from './check-agreement.ts';
import { unitFields } from './check-condition.ts';
import { checkRequirement } from './check-require.ts';
import { checkTexts } from './check-texts.ts';
import { checkTransform } from './check-transform.ts';
import { settlePaths } from './imported-paths.ts';
import { link, type Setting } from './link.ts';
import { type Checking, quantityOf } from './checking.ts';
import { checkParams, plainValue, type Parameter, type Settings } from './params.ts';
import { placeParams } from './place-params.ts';
import { type Recipe } from './recipe.ts';
import { assertValid } from './schema.ts';
import { type Vocabulary } from './vocabulary.ts';

export type CheckOptions = {
	/** Whether inputs are given beside the recipe. */
	readonly hasData?: boolean;
	/** What the recipe imports; without it every `use` is an error. */
	readonly imports?: Imports | undefined;
};
export type Checked = { readonly recipe?: Recipe; readonly diagnostics: Diagnostic[] };

/**
 * Gives a recipe and what it imports its meaning. `values` sets parameters by name: a number in its base unit (0.25 for `25%`), or what one writes behind `=`.
 * There is no recipe when a statement could not be read or a check failed; the diagnostics are those of the checks alone.
 */
export function checkRecipe(
	text: Syntax,
	vocabulary: Vocabulary,
	values: Settings = {},
	{ hasData = false, imports }: CheckOptions = {},
): Checked {
	const { syntax: linked, settings, problems: unlinked } = link(text, imports);
	const problems: Diagnostic[] = [...unlinked];
	const params = checkParams(ofKind(linked, 'param'), values, problems);
	const used = new Set<string>();
	const syntax = { ...linked, statements: settled(linked.statements, params, used, problems) };
	const mayChange = ofKind(syntax, 'may').flatMap(({ names }) => names.map(({ value }) => value));
	const checking: Checking = { vocabulary, params, mayChange, used, problems };
	checkSettings(settings, checking);
	const header = checkHeader(syntax, checking);
	const inputs = checkInputs(ofKind(syntax, 'input'), checking);
	const calibrate = checkData(ofKind(syntax, 'calibrate'), checking);
	const evaluate = checkData(ofKind(syntax, 'evaluate'), checking);
	const require = ofKind(syntax, 'require').flatMap((one) => checkRequirement(one, checking) ?? []);
	const steps = ofKind(syntax, 'transform').flatMap((one) => checkTransform(one, checking));
	const expectations = ofKind(syntax, 'expect').flatMap((one) => checkExpectation(one, checking) ?? []);
	problems.push(...(syntax.complete ? unusedParams(checking) : []), ...shadowedParams(checking));
	const recipe: Recipe = {
		schema: 'prunec/recipe@1',
		...header,
		params: Object.fromEntries([...params].map(([name, param]) => [name, plainValue(param)])),
		inputs,
		...(calibrate !== undefined && { calibrate }),
		...(evaluate !== undefined && { evaluate }),
		require,
		protect: ofKind(syntax, 'protect').flatMap((one) => one.globs.map((glob) => glob.value)),
		mayChange,
		steps,
		expectations,
	};
	if (syntax.complete) problems.push(...checkAgreement(recipe, hasData));
	const diagnostics = withoutRepeats(problems);
	if (!syntax.complete || hasErrors(diagnostics)) return { diagnostics };
	return { recipe: assertValid(recipe), diagnostics };
}

function ofKind<K extends Statement['kind']>(
	{ statements }: Syntax,
	kind: K,
): Extract<Statement, { kind: K }>[] {
	return statements.filter((one): one is Extract<Statement, { kind: K }> => one.kind === kind);
}

/** Strings, words, ranges and lists in the place of their `$name`; what names files from elsewhere is left out. */
function settled(
	statements: readonly Statement[],
	params: ReadonlyMap<string, Parameter>,
	used: Set<string>,
	problems: Diagnostic[],
): readonly Statement[] {
	const valueOf = (name: string): ValueSyntax | undefined => {
		const param = params.get(name);
		if (param !== undefined) used.add(name);
		return param?.typed ?? param?.statement.value;
	};
	const missing = (found: string, span: Span): void => {
		// A parameter whose default could not be read was told already.
		if (!params.has(found)) problems.push(unknownParam({ found, known: [...params.keys()] }, { span }));
	};
	const placed = statements.map((one) =>
		one.kind === 'param' ? one : placeParams(one, { valueOf, missing, problems }),
	);
	problems.push(...checkTexts(placed));
	return settlePaths(placed, problems);
}

function checkHeader(
	syntax: Syntax,
	{ problems }: Checking,
): Pick<Recipe, 'name' | 'version' | 'description'> {
	const [first, ...others] = ofKind(syntax, 'recipe');
	if (first === undefined) return {};
	if (syntax.statements[0] !== first) problems.push(messages.recipeNotFirst({}, { span: first.span }));
	for (const { span } of others) {
		problems.push(messages.duplicateStatement({ what: '`recipe`', line: first.line }, { span }));
	}
	const { name, version, description } = first;
	return {
		name: name.text,
		...(version !== undefined && { version: version.text }),
		...(description !== undefined && { description: description.value }),
	};
}

/** Parameters with the name of a field or a metric. */
function shadowedParams({ params, vocabulary }: Checking): Diagnostic[] {
	const names = new Set<string>([...unitFields, ...vocabulary.metrics.map(({ name }) => name)]);
	return [...params]
		.filter(([name]) => names.has(name))
		.map(([found, { statement }]) => shadowedName({ found }, { span: statement.name.span }));
}

/** The limits of parameters hold for what `apply` gives them. */
function checkSettings(settings: readonly Setting[], checking: Checking): void {
	for (const { value, param } of settings) {
		if (value.kind !== 'number' && value.kind !== 'param') continue;
		const held = value.kind === 'param' ? checking.params.get(value.name)?.typed : undefined;
		const base = held === undefined ? quantityOf(value, checking)?.base : undefined;
		const [from = -Infinity, to = Infinity] = [param.from, param.to].map(
			(limit) => limit && quantityOf(limit, checking)?.base,
		);
		if (base !== undefined && (base < from || base > to)) {
			const words = { name: param.name.text, value: base, from, to };
			checking.problems.push(messages.paramOutOfRange(words, { span: value.span }));
		}
	}
}

function unusedParams({ params, used }: Checking): Diagnostic[] {
	return [...params]
		.filter(([name, { statement }]) => !used.has(name) && statement.span.file === undefined)
		.map(([name, { statement }]) => messages.unusedParam({ found: name }, { span: statement.name.span }));
}

/** In the order of the text; what several targets of a statement have wrong in common is said once. */
function withoutRepeats(problems: readonly Diagnostic[]): Diagnostic[] {
	const seen = new Set<string>();
	return problems
		.filter(({ code, message, span }) => {
			const key = `${code} ${span?.file ?? ''} ${span?.start ?? ''} ${span?.end ?? ''} ${message}`;
			return !seen.has(key) && seen.add(key);
		})
		.toSorted(inOrder);
}

/** The recipe itself first, then what it imports. */
function inOrder({ span: a }: Diagnostic, { span: b }: Diagnostic): number {
	const [one = '', other = ''] = [a?.file, b?.file];
	return one === other ? (a?.start ?? 0) - (b?.start ?? 0) : one < other ? -1 : 1;
}
