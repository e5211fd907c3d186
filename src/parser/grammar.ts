/**
 * The grammar of statements. It takes any statement to its end: what stands where nothing can is kept as `rest` or
 * `stray` for a message of its own.
 */
import * as t from './tokens.ts';
import { ClauseParser } from './grammar-clauses.ts';
import { type GrammarOptions, inner, type Rule } from './grammar-terms.ts';

export class RecipeParser extends ClauseParser {
	readonly recipe: Rule;
	readonly line: Rule;
	readonly header: Rule;
	readonly param: Rule;
	readonly sizes: Rule;
	readonly protect: Rule;
	readonly require: Rule;
	readonly setting: Rule;
	readonly calibrate: Rule;
	readonly evaluate: Rule;
	readonly expect: Rule;
	readonly use: Rule;
	readonly apply: Rule;
	readonly argument: Rule;
	readonly junk: Rule;

	constructor(options: GrammarOptions = {}) {
		super(options);
		this.header = this.RULE('header', () => this.#header());
		this.param = this.RULE('param', () => this.#param());
		this.sizes = this.RULE('sizes', () => this.#sizes());
		this.protect = this.RULE('protect', () => this.#protect());
		this.require = this.RULE('require', () => this.#require());
		this.setting = this.RULE('setting', () => this.#setting(), inner);
		this.evaluate = this.RULE('evaluate', () => this.#evaluate());
		this.calibrate = this.RULE('calibrate', () => this.#calibrate());
		this.expect = this.RULE('expect', () => this.#expect());
		this.use = this.RULE('use', () => this.#use());
		this.argument = this.RULE('argument', () => this.#argument());
		this.apply = this.RULE('apply', () => this.#apply());
		this.junk = this.RULE('junk', () => this.CONSUME(t.Anything));
		this.line = this.RULE('line', () => this.#line());
		this.recipe = this.RULE('recipe', () => this.#recipe());
		this.performSelfAnalysis();
	}

	#recipe(): void {
		this.OPTION(() => this.SUBRULE(this.line));
		this.MANY(() => {
			this.CONSUME(t.End);
			this.OPTION1(() => this.SUBRULE1(this.line));
		});
	}

	/** The order decides: what begins no other line is junk. */
	#line(): void {
		this.OR({
			IGNORE_AMBIGUITIES: true,
			DEF: [
				{ ALT: () => this.SUBRULE(this.header) },
				{ ALT: () => this.SUBRULE(this.param) },
				{ ALT: () => this.SUBRULE(this.sizes) },
				{ ALT: () => this.SUBRULE(this.protect) },
				{ ALT: () => this.SUBRULE(this.calibrate) },
				{ ALT: () => this.SUBRULE(this.require) },
				{ ALT: () => this.SUBRULE(this.evaluate) },
				{ ALT: () => this.SUBRULE(this.consent) },
				{ ALT: () => this.SUBRULE(this.expect) },
				{ ALT: () => this.SUBRULE(this.use) },
				{ ALT: () => this.SUBRULE(this.apply) },
				{ ALT: () => this.SUBRULE(this.transform) },
				{ ALT: () => this.SUBRULE(this.junk) },
			],
		});
		this.MANY(() => this.CONSUME(t.Anything, { LABEL: 'rest' }));
	}

	#header(): void {
		this.CONSUME(t.opener.recipe);
		this.CONSUME(t.RecipeName);
		this.OPTION(() => this.CONSUME(t.Version));
		this.OPTION1(() => this.CONSUME(t.Text));
	}

	#param(): void {
		this.CONSUME(t.opener.param);
		this.CONSUME(t.Word);
		this.CONSUME(t.Equal);
		this.SUBRULE(this.value);
		this.OPTION(() => {
			this.CONSUME(t.clause.from);
			this.SUBRULE(this.bound, { LABEL: 'from' });
			this.CONSUME(t.clause.to);
			this.SUBRULE1(this.bound, { LABEL: 'to' });
		});
	}

	#sizes(): void {
		this.CONSUME(t.opener.input);
		this.OR([{ ALT: () => this.CONSUME(t.Word) }, { ALT: () => this.CONSUME(t.Text) }]);
		this.OR1([{ ALT: () => this.CONSUME(t.Sizes) }, { ALT: () => this.CONSUME(t.NumberToken) }]);
	}

	#protect(): void {
		this.CONSUME(t.opener.protect);
		this.SUBRULE(this.text);
		this.MANY(() => {
			this.CONSUME(t.Comma);
			this.SUBRULE1(this.text);
		});
	}

	#calibrate(): void {
		this.CONSUME(t.opener.calibrate);
		this.CONSUME(t.clause.with);
		this.SUBRULE(this.text);
		this.MANY(() => this.SUBRULE(this.setting));
	}

	#evaluate(): void {
		this.CONSUME(t.opener.evaluate);
		this.CONSUME(t.clause.with);
		this.SUBRULE(this.text);
		this.MANY(() => this.SUBRULE(this.setting));
	}

	#setting(): void {
		this.OR([
			{ ALT: () => this.CONSUME(t.clause.take, { LABEL: 'name' }) },
			{ ALT: () => this.CONSUME(t.Word, { LABEL: 'name' }) },
		]);
		this.OR1([
			{ ALT: () => this.SUBRULE(this.number) },
			{ ALT: () => this.CONSUME1(t.Word, { LABEL: 'value' }) },
		]);
	}

	#require(): void {
		this.CONSUME(t.opener.require);
		this.AT_LEAST_ONE(() => this.CONSUME(t.Word));
		this.OPTION(() => {
			this.OR([{ ALT: () => this.CONSUME(t.Comparison) }, { ALT: () => this.CONSUME(t.Equal) }]);
			this.SUBRULE(this.bound);
		});
		this.OPTION1(() => {
			this.CONSUME(t.clause.with);
			this.SUBRULE(this.measures);
		});
	}

	#expect(): void {
		this.CONSUME(t.opener.expect);
		this.AT_LEAST_ONE(() => this.CONSUME(t.Word));
		this.OPTION(() => {
			this.OR([{ ALT: () => this.CONSUME(t.Comparison) }, { ALT: () => this.CONSUME(t.Equal) }]);
			this.SUBRULE(this.bound);
		});
	}

	#use(): void {
		this.CONSUME(t.opener.use);
		this.CONSUME(t.Text);
		this.OPTION(() => {
			this.CONSUME(t.clause.as);
			this.CONSUME(t.Word);
		});
	}

	#apply(): void {
		this.CONSUME(t.opener.apply);
		this.CONSUME(t.Word);
		this.OPTION(() => {
			this.CONSUME(t.GroupOpen);
			this.OPTION1(() => {
				this.SUBRULE(this.argument);
				this.MANY(() => {
					this.CONSUME(t.Comma);
					this.SUBRULE1(this.argument);
				});
			});
			this.CONSUME(t.GroupClose);
		});
	}

	#argument(): void {
		this.CONSUME(t.Word);
		this.CONSUME(t.Equal);
		this.SUBRULE(this.value);
	}
}
