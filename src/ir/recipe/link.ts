/**
 * A recipe and what it uses, joined into one list of statements. A recipe that is used without a name stands where its
 * `use` stands, once; one that is applied stands at each `apply`, its parameters replaced by their values there.
 */
import { type Diagnostic, present, type Span } from '../../diagnostic.ts';
import { duplicateClause } from '../../messages/check.ts';
import * as declarations from '../../messages/declarations.ts';
import * as messages from '../../messages/import.ts';
import { unknownParam } from '../../messages/quantities.ts';
import {
	type ApplyStatement,
	type NumberSyntax,
	type ParamStatement,
	type Statement,
	type Syntax,
	type UseStatement,
	type ValueSyntax,
} from '../../parser/syntax.ts';
import { checkParams, kindText } from './params.ts';
import { placeParams } from './place-params.ts';
import { type Imports } from '../imports/imports.ts';

/** With all imports applied. */
export const mostStatements = 100_000;

/** A value that an `apply` gives a parameter, which the parameter's limits must allow. */
export type Setting = { readonly value: ValueSyntax; readonly param: ParamStatement };

export type Linked = {
	/** Without `use` and `apply`; complete when every file of it is. */
	readonly syntax: Syntax;
	readonly settings: readonly Setting[];
	readonly problems: readonly Diagnostic[];
};

/** Joins a recipe and its imports; without them, every `use` is an error. */
export function link(syntax: Syntax, imports?: Imports): Linked {
	const linking = new Linking(imports);
	linking.enter(
		{ statements: syntax.statements, uses: imports?.uses ?? new Map() },
		{ applied: new Set(), depth: 0 },
	);
	const files = [...(imports?.files.values() ?? [])];
	return {
		syntax: {
			...syntax,
			statements: importersFirst(linking.placed),
			complete: syntax.complete && files.every((file) => file.syntax.complete),
		},
		settings: linking.settings,
		problems: linking.problems,
	};
}

type File = { readonly statements: readonly Statement[]; readonly uses: ReadonlyMap<string, string> };
/** What statements of one application share. */
type Scope = {
	/** Of the parameters, where they have been given; absent in the recipe itself and what it uses without a name. */
	readonly values?: ReadonlyMap<string, ValueSyntax>;
	/** Files that stand in it already. */
	readonly applied: Set<string>;
	/** Imports between it and the recipe itself. */
	readonly depth: number;
};
type Placed = { readonly statement: Statement; readonly depth: number };

/** Declarations by name. */
type Params = ReadonlyMap<string, ParamStatement>;

class Linking {
	readonly placed: Placed[] = [];
	readonly settings: Setting[] = [];
	readonly problems: Diagnostic[] = [];
	private readonly imports: Imports | undefined;

	constructor(imports: Imports | undefined) {
		this.imports = imports;
	}

	enter(file: File, scope: Scope): void {
		const names = this.namesOf(file, scope);
		const params = this.paramsOf(file);
		for (const statement of file.statements) {
			if (this.placed.length > mostStatements) return;
			if (statement.kind === 'use') this.use(statement, file, scope);
			else if (statement.kind === 'apply') this.apply(statement, names, params, scope);
			else this.place(statement, params, scope);
		}
	}

	private use({ source, alias }: UseStatement, { uses }: File, scope: Scope): void {
		const [address, place] = [source.value, { span: source.span }];
		if (this.imports === undefined) this.problems.push(declarations.notImported({ source: address }, place));
		const target = uses.get(address);
		if (target === undefined || alias !== undefined) return;
		if (scope.applied.has(target)) {
			if (scope.depth === 0) this.problems.push(messages.repeatedUse({ address }, place));
			return;
		}
		scope.applied.add(target);
		this.enter(this.file(target), { ...scope, depth: scope.depth + 1 });
	}

	private apply(statement: ApplyStatement, names: Names, outer: Params, scope: Scope): void {
		const { text: found, span } = statement.name;
		const target = names.get(found);
		if (target === undefined) {
			this.problems.push(declarations.unknownAlias({ found, known: [...names.keys()] }, { span }));
			return;
		}
		// Its address, or what stands there, is wrong, and that was said.
		if (target === unread) return;
		const file = this.file(target);
		const params = this.paramsOf(file);
		checkParams([...params.values()], {}, this.problems);
		const given = this.argumentsOf(statement, params, outer, scope);
		this.enter(file, { values: valuesOf(params, given), applied: new Set([target]), depth: scope.depth + 1 });
		if (this.placed.length > mostStatements && scope.depth === 0)
			this.problems.push(messages.tooManyStatements({ limit: mostStatements }, { span: statement.span }));
	}

	/** What is put in the place of parameters, an argument each; the checker looks at their limits. */
	private argumentsOf(
		statement: ApplyStatement,
		params: Params,
		outer: Params,
		scope: Scope,
	): Map<string, ValueSyntax> {
		const given = new Map<string, ValueSyntax>();
		for (const { name, value, span } of statement.arguments) {
			const param = params.get(name.text);
			if (param === undefined) {
				const words = { found: name.text, recipe: statement.name.text, known: [...params.keys()] };
				this.problems.push(messages.unknownArgument(words, { span: name.span }));
				continue;
			}
			if (given.has(name.text))
				this.problems.push(duplicateClause({ clause: name.text, hint: undefined }, { span }));
			const resolved = this.resolved({ value }, outer, scope)?.value;
			if (resolved === undefined) continue;
			given.set(name.text, resolved);
			this.settings.push({ value: resolved, param });
		}
		return given;
	}

	private place(
		statement: Exclude<Statement, UseStatement | ApplyStatement>,
		params: Params,
		scope: Scope,
	): void {
		if (statement.kind === 'recipe' && scope.depth > 0) return;
		if (statement.kind === 'param') {
			if (scope.values === undefined && !this.clashes(statement))
				this.placed.push({ statement, depth: scope.depth });
			return;
		}
		const whole = scope.depth === 0 ? statement : this.resolved(statement, params, scope);
		if (whole !== undefined) this.placed.push({ statement: whole, depth: scope.depth });
	}

	/** Whether another file has declared a parameter of this name where both would be the recipe's own. */
	private clashes(statement: ParamStatement): boolean {
		const { text: name, span } = statement.name;
		const same = this.placed.find(
			({ statement: one }) => one.kind === 'param' && one.name.text === name,
		)?.statement;
		if (same === undefined || same.span.file === span.file) return false;
		this.problems.push(messages.paramClash({ name, other: same.span.file ?? 'the recipe itself' }, { span }));
		return true;
	}

	/**
	 * A part of a file with its parameters replaced. They are those that the file and what it uses declare: never those
	 * of whoever imports it. Nothing when one is not declared.
	 */
	private resolved<T>(part: T, params: Params, { values }: Scope): T | undefined {
		let unknown = 0;
		const missing = (found: string, span: Span): void => {
			if (!params.has(found))
				this.problems.push(unknownParam({ found, known: [...params.keys()] }, { span }));
			unknown++;
		};
		const valueOf = (name: string): ValueSyntax | undefined =>
			values === undefined ? itself(name, params) : values.get(name);
		const placed = placeParams(part, { valueOf, missing, problems: this.problems });
		const replaced = replace(placed, (number) => {
			const { name, span } = number;
			const value = valueOf(name);
			if (value === undefined) missing(name, span);
			if (value === undefined || value.kind === 'number' || value.kind === 'param')
				return valueAt(number, value);
			this.problems.push(
				declarations.paramMisplaced({ name, kind: kindText(value), needed: 'a number' }, { span }),
			);
			unknown++;
			return number;
		});
		return unknown === 0 ? replaced : undefined;
	}

	/** Names given by `as`, each with its file. */
	private namesOf({ statements, uses }: File, { depth }: Scope): Names {
		const names = new Map<string, string>();
		const lines = new Map<string, number>();
		const applied = new Set(statements.map((one) => (one.kind === 'apply' ? one.name.text : '')));
		for (const statement of statements) {
			if (statement.kind !== 'use' || statement.alias === undefined) continue;
			const { text: found, span } = statement.alias;
			const line = lines.get(found);
			if (line !== undefined) this.problems.push(declarations.duplicateAlias({ found, line }, { span }));
			else if (depth === 0 && !applied.has(found))
				this.problems.push(messages.unusedName({ name: found }, { span }));
			lines.set(found, line ?? statement.line);
			names.set(found, names.get(found) ?? uses.get(statement.source.value) ?? unread);
		}
		return names;
	}

	/** The parameters that a file declares, those of what it uses without a name included; its own win. */
	private paramsOf(file: File, seen = new Set<File>()): Params {
		seen.add(file);
		const used = file.statements.flatMap((one) =>
			one.kind === 'use' && one.alias === undefined ? (file.uses.get(one.source.value) ?? []) : [],
		);
		const from = used.map((name) => this.file(name)).filter((one) => !seen.has(one));
		const own = file.statements.flatMap((one) =>
			one.kind === 'param' ? [[one.name.text, one] as const] : [],
		);
		return new Map([...from.flatMap((one) => [...this.paramsOf(one, seen)]), ...own]);
	}

	private file(name: string): File {
		const found = this.files.get(name);
		if (found !== undefined) return found;
		const { syntax, uses } = present(this.imports?.files.get(name), `the imported file '${name}'`);
		const file = { statements: syntax.statements, uses };
		this.files.set(name, file);
		return file;
	}
	private readonly files = new Map<string, File>();
}

type Names = ReadonlyMap<string, string>;
/** In the place of a file that could not be read. */
const unread = '';

/** `$name` where it stands, when it is declared. */
function itself(name: string, params: Params): ValueSyntax | undefined {
	const declared = params.get(name);
	return declared && { kind: 'param', name, negative: false, span: declared.span };
}

/** Parameters as given, else as declared; one whose default could not be read has no value. */
function valuesOf(params: Params, given: ReadonlyMap<string, ValueSyntax>): Map<string, ValueSyntax> {
	return new Map(
		[...params].flatMap(([name, { value }]) => {
			const chosen = given.get(name) ?? (value?.kind === 'param' ? undefined : value);
			return chosen === undefined ? [] : [[name, chosen] as const];
		}),
	);
}

type ParamNumber = Extract<NumberSyntax, { kind: 'param' }>;

/** The same plain object with each `$name` in it replaced. */
function replace<T>(part: T, by: (number: ParamNumber) => NumberSyntax): T {
	if (Array.isArray(part)) return part.map((one: unknown) => replace(one, by)) as T;
	if (typeof part !== 'object' || part === null) return part;
	if (isParam(part)) return by(part) as T;
	return Object.fromEntries(Object.entries(part).map(([key, one]) => [key, replace<unknown>(one, by)])) as T;
}

function isParam(part: object): part is ParamNumber {
	return 'kind' in part && part.kind === 'param' && 'name' in part && typeof part.name === 'string';
}

/** A value where `$name` or `-$name` stands. */
function valueAt(number: ParamNumber, value: NumberSyntax = number): NumberSyntax {
	const { span, negative } = number;
	if (value.kind === 'param') return { ...value, span, negative: negative !== value.negative };
	if (!negative) return { ...value, span };
	const text = value.text.startsWith('-') ? value.text.slice(1) : `-${value.text}`;
	return { ...value, span, value: -value.value, text };
}

/** Where several files say the same thing for the whole recipe, the one nearest to the recipe itself is right. */
function importersFirst(placed: readonly Placed[]): Statement[] {
	const least = new Map<string, number>();
	for (const { statement, depth } of placed) {
		const key = sayingOf(statement);
		if (key !== undefined) least.set(key, Math.min(depth, least.get(key) ?? depth));
	}
	return placed
		.filter(({ statement, depth }) => (least.get(sayingOf(statement) ?? '') ?? depth) === depth)
		.map(({ statement }) => statement);
}

/** What a statement decides for the whole recipe. */
function sayingOf(statement: Statement): string | undefined {
	if (statement.kind === 'input') return `input ${statement.name.value}`;
	return statement.kind === 'calibrate' || statement.kind === 'evaluate' ? statement.kind : undefined;
}
