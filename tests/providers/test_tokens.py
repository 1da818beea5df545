"""Is the estimate of tokens near enough, and never far too low?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focusflow.providers.tokens import estimated_tokens

# counted with o200k_base
COUNTED = {
    "English": (
        "Good morning, this is Ann from the clinic. I'm calling to confirm your appointment on Thursday at half past nine. Could you bring your insurance card and the list of medications you're currently taking? Sure, no problem. Is it OK if I arrive ten minutes late?",
        53,
    ),
    "timed turns": (
        "[00:01:23] A: Yes.\n[00:01:25] B: OK, so I'd say 12,500.50 euros, is that right?\n[00:01:31] A: Um, no. It's 12,050.\n[01:12:09] B: Ah, right!\n",
        69,
    ),
    "German": (
        "Guten Tag, hier ist Müller von der Firma Schrauben und Werkzeuge. Ich rufe wegen der Rechnung vom dritten November an; die Umsatzsteueridentifikationsnummer fehlt leider. Könnten Sie uns bitte eine Rechnungskorrektur schicken?",
        49,
    ),
    "Spanish": (
        "Hola, buenos días. Quería preguntar por el pedido del jueves; todavía no ha llegado y los niños están esperando. ¿Podría decirme cuándo llegará?",
        32,
    ),
    "French": (
        "Bonjour, je vous appelle au sujet de l'appartement. La fuite d'eau n'a toujours pas été réparée et c'est très gênant pour les voisins.",
        33,
    ),
    "Polish": (
        "Dzień dobry, dzwonię w sprawie zamówienia, które miało przyjść w zeszłym tygodniu. Czy mogłaby pani sprawdzić, gdzie się teraz znajduje przesyłka?",
        49,
    ),
    "Finnish": (
        "Hyvää huomenta, soitan eilisestä tilauksesta. Toimitus on myöhässä ja haluaisin tietää, milloin voisin odottaa sen saapuvan perille.",
        41,
    ),
    "Turkish": (
        "Merhaba, geçen hafta verdiğim sipariş için arıyorum. Kargonun nerede olduğunu öğrenebilir miyim, lütfen?",
        27,
    ),
    "Vietnamese": (
        "Xin chào, tôi gọi để hỏi về đơn hàng tuần trước. Bạn có thể kiểm tra giúp tôi khi nào hàng sẽ đến không?",
        28,
    ),
    "Russian": (
        "Здравствуйте, я звоню по поводу заказа, который должен был прийти на прошлой неделе. Не могли бы вы проверить, где сейчас находится посылка?",
        33,
    ),
    "Ukrainian": (
        "Добрий день, телефоную щодо замовлення, яке мало прийти минулого тижня. Чи не могли б ви перевірити, де зараз посилка?",
        37,
    ),
    "Greek": (
        "Καλημέρα σας, τηλεφωνώ για την παραγγελία που έπρεπε να έρθει την περασμένη εβδομάδα. Μπορείτε να ελέγξετε πού βρίσκεται;",
        47,
    ),
    "Arabic": (
        "صباح الخير، أتصل بخصوص الطلب الذي كان من المفترض أن يصل الأسبوع الماضي. هل يمكنك التحقق من مكانه الآن؟",
        28,
    ),
    "Hebrew": ("בוקר טוב, אני מתקשר בקשר להזמנה שהייתה אמורה להגיע בשבוע שעבר. האם תוכלי לבדוק היכן היא נמצאת?", 34),
    "Hindi": ("नमस्ते, मैं पिछले हफ्ते के ऑर्डर के बारे में फोन कर रहा हूँ। क्या आप देख सकते हैं कि वह अभी कहाँ है?", 33),
    "Tamil": ("வணக்கம், கடந்த வாரம் வர வேண்டிய ஆர்டர் குறித்து அழைக்கிறேன். அது இப்போது எங்கே இருக்கிறது?", 26),
    "Thai": ("สวัสดีค่ะ โทรมาสอบถามเรื่องสินค้าที่สั่งไปเมื่อสัปดาห์ที่แล้ว ตอนนี้สินค้าอยู่ที่ไหนคะ", 32),
    "Chinese": ("您好，我打电话来是想询问上周的订单。能帮我查一下现在到哪里了吗？孩子们都在等着呢。", 32),
    "Japanese": (
        "おはようございます。先週届くはずだった注文の件でお電話しました。今どこにあるか確認していただけますか？",
        33,
    ),
    "Korean": (
        "안녕하세요, 지난주에 도착했어야 할 주문 때문에 전화드렸습니다. 지금 어디에 있는지 확인해 주시겠어요?",
        31,
    ),
    "emoji": ("😀🎉👩\u200d👩\u200d👧\u200d👦🇩🇪❤️ ok", 20),
    "code": ('{"a": [1,2,3], "b": {"c": null}} == foo_bar(x->y); https://example.com/a?b=c&d=e%20f', 39),
    "Markdown": (
        "## Summary\n\n- **Next steps**: send the quote\n- [ ] call back\n\n| Who | What |\n|---|---|\n| Ann | quote |\n",
        34,
    ),
    "capitals": ("THE QUICK BROWN FOX JUMPED OVER THE LAZY DOG AND RAN AWAY FROM EVERYBODY", 21),
}


@pytest.mark.parametrize(("text", "counted"), COUNTED.values(), ids=COUNTED)
def test_an_estimate_is_rather_too_high_than_too_low(text: str, counted: int) -> None:
    """Against exact counts of OpenAI's vocabulary, in the languages that calls are made in."""
    assert counted * 0.98 <= estimated_tokens(text) <= counted * 2.3


def test_nothing_is_no_tokens() -> None:
    """An empty text costs nothing."""
    assert estimated_tokens("") == 0


@given(st.text(max_size=40), st.text(max_size=40))
def test_more_text_is_never_taken_for_much_less(first: str, second: str) -> None:
    """Texts are split by their estimate; words that join at the seam may change how they are counted."""
    assert estimated_tokens(first + second) * 2 >= max(estimated_tokens(first), estimated_tokens(second))
