/** From what a recipe says to what it means: words resolved by the technique table, numbers in range, defaults filled in. */
import { hasErrors, type Diagnostic, type Span } from '../../diagnostic.ts';
import * as messages from '../../messages/meaning.ts';
import { nearest } from '../../messages/nearest.ts';
import {
	type ExpectStatement,
	type Statement,
	type Syntax,
	type TransformStatement,
	type Word,
} from '../../parser/syntax.ts';
import { Numbers } from './numbers.ts';
import { StepDraft } from './draft.ts';
import { type Calibration, type Expectation, type Recipe, type Step } from './recipe.ts';
import { type TechniqueWords, type Vocabulary } from './vocabulary.ts';

export type CheckedRecipe = { readonly recipe?: Recipe; readonly diagnostics: readonly Diagnostic[] };

/** Checks a recipe against the words that techniques bring. `values` are the parameters given with `-p`. */
export function checkRecipe(
	syntax: Syntax,
	vocabulary: Vocabulary,
	values: Readonly<Record<string, number>> = {},
): CheckedRecipe {
	return new Checker(syntax, vocabulary, values).run();
}

const subjects = ['cosine', 'kl', 'top1 agreement', 'params', 'macs', 'size', 'outputs'] as const;

class Checker {
	private readonly numbers: Numbers;
	private readonly steps: Step[] = [];
	private readonly expectations: Expectation[] = [];
	private readonly protect: string[] = [];
	private readonly inputs: Recipe['inputs'][number][] = [];
	private calibrate: Calibration | undefined;
	private header: Pick<Recipe, 'name' | 'version' | 'description'> = {};
	private readonly syntax: Syntax;
	private readonly vocabulary: Vocabulary;
	private readonly values: Readonly<Record<string, number>>;

	constructor(syntax: Syntax, vocabulary: Vocabulary, values: Readonly<Record<string, number>>) {
		this.syntax = syntax;
		this.vocabulary = vocabulary;
		this.values = values;
		this.numbers = new Numbers(values);
	}

	run(): CheckedRecipe {
		for (const statement of this.syntax.statements)
			if (statement.kind === 'param') this.numbers.declare(statement);
		for (const name of Object.keys(this.values))
			if (!this.numbers.values.has(name))
				this.say(messages.unknownParam({ name, near: nearest(name, [...this.numbers.values.keys()]) }));
		for (const statement of this.syntax.statements) this.statement(statement);
		for (const statement of this.syntax.statements) {
			if (statement.kind === 'param' && !this.numbers.used.has(statement.name.text))
				this.say(messages.unusedParam({ name: statement.name.text }, { span: statement.name.span }));
		}
		const { diagnostics } = this.numbers;
		if (hasErrors(diagnostics)) return { diagnostics };
		const params = Object.fromEntries([...this.numbers.values].map(([name, { value }]) => [name, value]));
		const recipe: Recipe = {
			schema: 'prunec/recipe@1',
			...this.header,
			params,
			inputs: this.inputs,
			...(this.calibrate && { calibrate: this.calibrate }),
			protect: this.protect,
			steps: this.steps,
			expectations: this.expectations,
		};
		return { recipe, diagnostics };
	}

	private say(diagnostic: Diagnostic): void {
		this.numbers.diagnostics.push(diagnostic);
	}

	private text(span: Span): string {
		return this.syntax.text.slice(span.start, span.end);
	}

	private statement(statement: Statement): void {
		switch (statement.kind) {
			case 'recipe':
				this.header = {
					name: statement.name.text,
					...(statement.version && { version: statement.version.text }),
					...(statement.description && { description: statement.description.value }),
				};
				return;
			case 'param':
				return;
			case 'input':
				this.inputs.push({ name: statement.name.value, dims: statement.dims, span: statement.span });
				return;
			case 'protect':
				this.protect.push(...statement.globs.map(({ value }) => value));
				return;
			case 'calibrate': {
				const numbers = statement.settings.flatMap(({ name, value }) =>
					name.text === 'take' || name.text === 'seed'
						? [[name.text, this.numbers.whole(value, name.text, 0)] as const]
						: [],
				);
				const settings = Object.fromEntries(numbers.filter(([, value]) => value !== undefined)) as {
					take?: number;
					seed?: number;
				};
				this.calibrate = { path: statement.path.value, ...settings, span: statement.span };
				return;
			}
			case 'expect':
				this.expect(statement);
				return;
			case 'transform':
				this.transform(statement);
				return;
		}
	}

	private expect({ subject, bound, span }: ExpectStatement): void {
		const said = subject
			.map(({ text }) => text)
			.join(' ')
			.replace(/ unchanged$/, '');
		const known = subjects.find((one) => one === said);
		if (known === undefined) {
			this.say(messages.unknownSubject({ subject: said, near: nearest(said, subjects) }, { span }));
			return;
		}
		const number = bound && this.numbers.read(bound.value);
		if (bound === undefined)
			this.expectations.push({
				text: this.text(span),
				subject: 'outputs',
				op: '<=',
				value: 1e-5,
				unit: 'plain',
				span,
			});
		if (bound === undefined || number === undefined) return;
		const isShare = number.unit === '%' || number.unit === 'x';
		const value = number.unit === '%' ? number.value / 100 : number.value;
		const unit = isShare
			? 'share'
			: said === 'size'
				? 'bytes'
				: said === 'params' || said === 'macs'
					? 'count'
					: 'plain';
		this.expectations.push({ text: this.text(span), subject: known, op: bound.sign, value, unit, span });
	}

	private transform(statement: TransformStatement): void {
		const { verb, targets } = statement;
		const verbs = [...new Set(this.vocabulary.techniques.map((one) => one.verb))];
		const own = this.vocabulary.techniques.filter((one) => one.verb === verb.text);
		if (own.length === 0) {
			this.say(
				messages.unknownVerb(
					{ verb: verb.text, near: nearest(verb.text, verbs), verbs },
					{ span: verb.span },
				),
			);
			return;
		}
		const names = own.map(({ target }) => target);
		if (targets.length === 0)
			this.say(messages.noTarget({ verb: verb.text, targets: names }, { span: verb.span }));
		for (const target of targets) {
			const technique = own.find((one) => one.target === target.text || one.aliases.includes(target.text));
			if (technique === undefined) this.unknownTarget(verb, target, names);
			else this.step(statement, technique, verbs);
		}
	}

	private unknownTarget(verb: Word, target: Word, targets: readonly string[]): void {
		this.say(
			messages.unknownTarget(
				{ verb: verb.text, target: target.text, near: nearest(target.text, targets), targets },
				{ span: target.span },
			),
		);
	}

	private step(statement: TransformStatement, technique: TechniqueWords, verbs: readonly string[]): void {
		const before = this.numbers.diagnostics.length;
		const draft = new StepDraft(technique, this.vocabulary, this.numbers, (span) => this.text(span), verbs);
		statement.items.forEach((item) => {
			draft.add(item);
		});
		const several = statement.targets.length > 1;
		const rest = statement.items.map(({ span }) => this.text(span)).join(' ');
		const text = several
			? `${technique.verb} ${technique.target}${rest === '' ? '' : ` ${rest}`}`
			: this.text(statement.span).replace(/\s+/g, ' ');
		const step = draft.finish({ text, span: statement.span, line: statement.line });
		if (!hasErrors(this.numbers.diagnostics.slice(before))) this.steps.push(step);
	}
}
